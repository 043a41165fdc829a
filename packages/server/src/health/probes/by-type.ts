import type { HealthCheckType } from "@fiberlb/types";

import { probeGrpc } from "./grpc.ts";
import { probeHttp, probeHttps } from "./http.ts";
import type { Probe } from "./probe.ts";
import { probeTcp } from "./tcp.ts";
import { probeTlsHello } from "./tls-hello.ts";
import { probeUdp } from "./udp.ts";

/** The probe that does each type of health check. */
export const probes: Readonly<Record<HealthCheckType, Probe>> = {
  TCP: probeTcp,
  HTTP: probeHttp,
  HTTPS: probeHttps,
  TLS_HELLO: probeTlsHello,
  GRPC: probeGrpc,
  UDP: probeUdp,
};
