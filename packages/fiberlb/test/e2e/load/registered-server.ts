// A program that `fiberlb register` runs. argv: its name, its port. Prints its process id once it listens.
import { startEchoServer } from "../echo-server.ts";

const [name = "", port = ""] = process.argv.slice(2);
const server = await startEchoServer(name, Number(port));
process.on("SIGTERM", () => {
  console.log("told to stop");
  void server.close();
});
console.log(process.pid);
