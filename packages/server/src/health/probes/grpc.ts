import http2 from "node:http2";
import type net from "node:net";
import tls from "node:tls";

import { type Attempt, attempt, type Release } from "./attempt.ts";
import { dial } from "./dial.ts";
import { closedReason, endpoint } from "./failure.ts";
import { encodeCheckRequest, type GrpcAnswer, judgeCheckAnswer, MAX_ANSWER_BYTES } from "./grpc-health.ts";
import type { Probe, ProbeContext, ProbeOptions, ProbeTarget } from "./probe.ts";
import { tlsOptions } from "./tls.ts";

/**
 * Passes when `grpc.health.v1.Health/Check` answers SERVING, over HTTP/2 without TLS, or with TLS when the pool has
 * `backendTls`. A backend without that service fails.
 */
export const probeGrpc: Probe = (target, options, context) =>
  attempt(target, context, (running) => {
    const socket = connect(target, options, running);
    const session = http2.connect(`http://${endpoint(target.address, target.port)}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
      maxSessionMemory: 1,
    });
    session.on("error", (error) => running.error(error));
    const release: Release = () => {
      session.destroy();
      socket.destroy();
    };
    ask(session, running, { target, context, service: options.grpcService ?? "" });
    return release;
  });

function connect(target: ProbeTarget, options: ProbeOptions, running: Attempt): net.Socket {
  if (options.backendTls === undefined) {
    const socket = dial(target, options);
    socket.once("connect", () => (running.awaiting = "answer"));
    return socket.on("error", (error) => running.error(error));
  }
  const socket = tls.connect({ ...tlsOptions(target, options), ALPNProtocols: ["h2"] });
  socket.once("connect", () => (running.awaiting = "TLS handshake"));
  socket.once("secureConnect", () => {
    running.awaiting = "answer";
    if (socket.alpnProtocol !== "h2") running.fail("TLS: backend does not offer HTTP/2 (ALPN h2), which gRPC needs");
  });
  return socket.on("error", (error) => running.error(error));
}

interface Question {
  readonly target: ProbeTarget;
  readonly context: ProbeContext;
  readonly service: string;
}

function ask(session: http2.ClientHttp2Session, running: Attempt, question: Question): void {
  const stream = session.request(requestHeaders(question));
  const body: Buffer[] = [];
  let bodyBytes = 0;
  let answer: Omit<GrpcAnswer, "body"> = { headers: {}, trailers: {} };
  stream.on("error", (error) => running.error(error));
  stream.on("response", (headers) => (answer = { ...answer, headers }));
  stream.on("trailers", (trailers) => (answer = { ...answer, trailers }));
  stream.on("data", (chunk: Buffer) => {
    bodyBytes += chunk.length;
    if (bodyBytes > MAX_ANSWER_BYTES) return running.fail(`answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    body.push(chunk);
  });
  stream.once("close", () => {
    if (answer.headers[":status"] === undefined) return running.fail(closedReason(question.target, running.awaiting));
    const failure = judgeCheckAnswer({ ...answer, body: Buffer.concat(body) }, question.service);
    if (failure === undefined) running.pass();
    else running.fail(failure);
  });
  stream.end(encodeCheckRequest(question.service));
}

const requestHeaders = ({ target, context }: Question): http2.OutgoingHttpHeaders => ({
  ":method": "POST",
  ":path": "/grpc.health.v1.Health/Check",
  ":authority": endpoint(target.host, target.port),
  "content-type": "application/grpc",
  "user-agent": "FiberLB-health-check",
  te: "trailers",
  // Eight digits at most (gRPC over HTTP/2, "Timeout").
  "grpc-timeout": `${Math.min(Math.ceil(context.timeoutMs), 99_999_999)}m`,
});
