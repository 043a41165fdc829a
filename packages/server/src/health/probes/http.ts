import http from "node:http";
import https from "node:https";
import type net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";

import { parseStatusCodes, statusCodeMatches } from "@fiberlb/types";

import { type Attempt, attempt } from "./attempt.ts";
import { dial } from "./dial.ts";
import { endpoint } from "./failure.ts";
import type { HttpProbeOptions, Probe, ProbeOptions, ProbeTarget } from "./probe.ts";
import { tlsOptions } from "./tls.ts";

const MAX_HEAD_BYTES = 16 * 1024;

/** Passes when the head of the answer has an expected code. The body is not read and the connection not kept. */
export const probeHttp: Probe = (target, options, context) =>
  attempt(target, context, (running) => {
    const request = http.request({
      ...requestOptions(target, options.http),
      ...connectingBy(options, () => dial(target, options)),
    });
    request.once("socket", (socket) => socket.once("connect", () => (running.awaiting = "answer")));
    return exchange(request, running, options.http);
  });

/** {@link probeHttp} over TLS; certificates are judged as the pool's `backendTls` says. */
export const probeHttps: Probe = (target, options, context) =>
  attempt(target, context, (running) => {
    const request = https.request({
      ...(options.sendProxyProtocol === undefined && tlsOptions(target, options)),
      ...requestOptions(target, options.http),
      ...connectingBy(options, () => tls.connect(tlsOptions(target, options))),
    });
    request.once("socket", (socket) => {
      socket.once("connect", () => (running.awaiting = "TLS handshake"));
      socket.once("secureConnect", () => (running.awaiting = "answer"));
    });
    return exchange(request, running, options.http);
  });

/** Node's own connection, unless something must be said on it before HTTP. */
function connectingBy({ sendProxyProtocol }: ProbeOptions, connect: () => net.Socket): http.RequestOptions {
  return sendProxyProtocol === undefined ? { agent: false } : { createConnection: connect };
}

function requestOptions(target: ProbeTarget, asked: HttpProbeOptions = {}): http.RequestOptions {
  return {
    host: target.address,
    port: target.port,
    method: asked.method ?? "GET",
    path: asked.path ?? "/",
    headers: {
      host: asked.host ?? endpoint(target.host, target.port),
      "user-agent": "FiberLB-health-check",
      accept: "*/*",
      connection: "close",
    },
    maxHeaderSize: MAX_HEAD_BYTES,
  };
}

function exchange(request: http.ClientRequest, running: Attempt, asked: HttpProbeOptions = {}): () => void {
  const expected = asked.expectedCodes ?? "200";
  const codes = parseStatusCodes(expected);
  if (!codes.ok) running.fail(`expected codes: ${codes.error}`);
  const judge = (response: http.IncomingMessage): void => {
    const code = response.statusCode ?? 0;
    if (codes.ok && statusCodeMatches(codes.value, code)) running.pass();
    else running.fail(`HTTP ${code}, expected ${expected}`);
  };
  // A switched protocol is an answer like any other; node:http then hands the socket over, and it is ours to close.
  const judgeSwitch = (response: http.IncomingMessage, socket: Duplex): void => {
    socket.destroy();
    judge(response);
  };
  request.on("error", (error) => running.error(error));
  request.once("response", judge).once("upgrade", judgeSwitch).once("connect", judgeSwitch);
  request.end();
  return () => request.destroy();
}
