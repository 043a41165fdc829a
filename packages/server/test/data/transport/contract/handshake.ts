import type { CreateTransport } from "./rig.ts";
export function handshakeContract(_create: CreateTransport): void {}
