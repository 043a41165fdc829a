/**
 * Sends whole Ethernet frames through a packet socket (packet(7)). Node has none, so this calls the C library by
 * `node:ffi`: the only file here that does. Every argument is checked or made here; the kernel keeps no pointer.
 */
import { endianness } from "node:os";
import { getSystemErrorMap } from "node:util";

import type { Frame } from "./packets.ts";

/** A way to put frames on a link. */
export interface FrameSender {
  /** @throws Error with the system's reason, as when the interface is down. */
  send(linkIndex: number, frame: Frame): void;
  close(): void;
}

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const MSG_DONTWAIT = 0x40;
const HARDWARE_ADDRESS_LENGTH = 6;

const FUNCTIONS = {
  socket: { arguments: ["int32", "int32", "int32"], return: "int32" },
  sendto: { arguments: ["int32", "buffer", "uint64", "int32", "buffer", "uint32"], return: "int64" },
  close: { arguments: ["int32"], return: "int32" },
  __errno_location: { arguments: [], return: "pointer" },
} as const;

/**
 * Opens a packet socket that sends and never receives (protocol 0). @throws Error when there can be none: not Linux, an
 * engine without `node:ffi`, no CAP_NET_RAW.
 */
export function openPacketSocket(): FrameSender {
  if (process.platform !== "linux") throw new Error("packet sockets are Linux's");
  // Not an import: an engine that was built without it must be able to load this file.
  const ffi = process.getBuiltinModule("node:ffi");
  if (ffi === undefined) throw new Error("this Node.js has no node:ffi");
  const { lib, functions: libc } = ffi.dlopen(null, FUNCTIONS);
  // Read at once: any other system call of this thread may set it anew.
  const failure = (what: string): Error => {
    const errno = ffi.getInt32(libc["__errno_location"]());
    const [name, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, ""];
    const right = name === "EPERM" || name === "EACCES" ? ": needs CAP_NET_RAW" : "";
    return new Error(`${what}: ${name} ${text}${right}`);
  };
  const descriptor = libc.socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0);
  if (descriptor < 0) {
    const error = failure("cannot open a packet socket");
    lib.close();
    throw error;
  }
  let isOpen = true;
  return {
    send(linkIndex, frame) {
      if (!isOpen) throw new Error("the packet socket is closed");
      const { bytes } = frame;
      const to = linkAddress(linkIndex, frame);
      const sent = libc.sendto(descriptor, bytes, BigInt(bytes.length), MSG_DONTWAIT, to, to.length);
      if (sent !== BigInt(bytes.length)) throw failure("cannot send to the link");
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      libc.close(descriptor);
      lib.close();
    },
  };
}

/** struct sockaddr_ll: numbers as this machine has them, but for the protocol, which is as on the wire. */
function linkAddress(linkIndex: number, { etherType, destination }: Frame): Uint8Array {
  const isLittleEndian = endianness() === "LE";
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, isLittleEndian);
  view.setUint16(2, etherType);
  view.setInt32(4, linkIndex, isLittleEndian);
  view.setUint8(11, HARDWARE_ADDRESS_LENGTH);
  bytes.set(destination.subarray(0, HARDWARE_ADDRESS_LENGTH), 12);
  return bytes;
}
