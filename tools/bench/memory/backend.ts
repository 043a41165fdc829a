import { once } from "node:events";
import net from "node:net";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\nhello from the backend 29 by\n";
const STEP_BYTES = 256 * 2 ** 20;

/**
 * A backend that does what the path says: `/deaf` reads no body, `/sink` reads it and answers then, others answer at
 * once.
 * @param onReceived called with how much of a body has come, every 256 MiB.
 */
export async function startBackend(onReceived: (bytes: number) => void): Promise<{ readonly port: number }> {
  const server = net.createServer((socket) => serve(socket, onReceived)).listen(0, "127.0.0.1", 4096);
  await once(server, "listening");
  return { port: (server.address() as net.AddressInfo).port };
}

function serve(socket: net.Socket, onReceived: (bytes: number) => void): void {
  let bodyBytes = 0;
  let received = 0;
  const take = (count: number): void => {
    const before = Math.floor(received / STEP_BYTES);
    received += count;
    if (Math.floor(received / STEP_BYTES) > before) onReceived(received);
    if (received < bodyBytes) return;
    bodyBytes = received = 0;
    socket.write(ANSWER);
  };
  socket.on("error", () => undefined);
  socket.on("data", (bytes) => {
    if (bodyBytes > 0) return take(bytes.length);
    // A balancer sends the head in one piece.
    const end = bytes.indexOf("\r\n\r\n");
    const head = bytes.toString("latin1", 0, end);
    if (head.includes(" /deaf ")) return void socket.pause();
    bodyBytes = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    take(bytes.length - end - 4);
  });
}
