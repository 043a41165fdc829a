/**
 * Tells the neighbours on a link that an address is here now: at once, and twice more, because frames get lost.
 */
import { execFile } from "node:child_process";

import type { IpAddress } from "@fiberlb/types";

import type { Cancel, Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { type LinkReading, readLink } from "./link.ts";
import { type FrameSender, openPacketSocket } from "./packet-socket.ts";
import { takeoverFrames } from "./packets.ts";

const TIMES = 3;
const INTERVAL_MS = 200;

/** Runs `arping`; resolves with why it failed, undefined when it did not. */
export type RunArping = (args: readonly string[]) => Promise<string | undefined>;

/** What a notice needs of the host; defaults are the real ones. */
export interface NeighbourNoticeOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly openSocket?: () => FrameSender;
  readonly readLink?: (device: string) => LinkReading;
  readonly runArping?: RunArping;
}

/** Sends gratuitous ARP and unsolicited neighbour advertisements. */
export interface NeighbourNotice {
  /** Three times, 200 ms apart, the first now. Calling the result off ends it: nothing is said after a VIP is lost. */
  tell(device: string, vip: string): Cancel;
  close(): void;
}

/** Through a packet socket; where there can be none, IPv4 through the program `arping`. */
export function createNeighbourNotice({
  clock,
  log,
  openSocket = openPacketSocket,
  readLink: read = readLink,
  runArping = runRealArping,
}: NeighbourNoticeOptions): NeighbourNotice {
  const said = new Set<string>();
  const warnOnce = (reason: string, device: string): void => {
    if (said.has(`${device} ${reason}`)) return;
    said.add(`${device} ${reason}`);
    const effect = "neighbours learn of a VIP's move only when what they remember grows old";
    log.warn(`cannot tell the neighbours: ${effect}`, { interface: device, reason });
  };
  let socket: FrameSender | { readonly problem: string } | undefined;
  const opened = (): FrameSender | { readonly problem: string } => {
    try {
      return (socket ??= openSocket());
    } catch (error) {
      return (socket = { problem: (error as Error).message });
    }
  };

  const sayOnce = (device: string, vip: string): void => {
    const sender = opened();
    if ("problem" in sender) return void sayByProgram(device, vip, sender.problem);
    const reading = read(device);
    // It will be told when the interface is back: the address is put there anew.
    if (!reading.ok) return;
    try {
      for (const frame of takeoverFrames(vip as IpAddress, reading.link.mac)) sender.send(reading.link.index, frame);
    } catch (error) {
      warnOnce((error as Error).message, device);
    }
  };

  const sayByProgram = async (device: string, vip: string, problem: string): Promise<void> => {
    if (vip.includes(":")) return warnOnce(`${problem}; for IPv6 there is no other way`, device);
    // -U is the request form of a gratuitous ARP, -A the reply form.
    const results = await Promise.all(["-U", "-A"].map((form) => runArping([form, "-c", "1", "-I", device, vip])));
    const why = results.find((result) => result !== undefined);
    if (why !== undefined) warnOnce(`${problem}; and arping: ${why}`, device);
  };

  return {
    tell(device, vip) {
      let timer: Cancel | undefined;
      const say = (times: number): void => {
        sayOnce(device, vip);
        timer = times > 1 ? clock.after(INTERVAL_MS, () => say(times - 1)) : undefined;
      };
      say(TIMES);
      return () => timer?.();
    },
    close() {
      if (socket !== undefined && "close" in socket) socket.close();
      socket = { problem: "closed" };
    },
  };
}

function runRealArping(args: readonly string[]): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  execFile("arping", args, { timeout: 5000 }, (error, _stdout, stderr) => {
    // Without an answer it exits with 1: nobody answers an announcement.
    if (error === null || error.code === 1) return resolve(undefined);
    resolve(error.code === "ENOENT" ? "not installed (iputils-arping)" : stderr.trim() || error.message);
  });
  return promise;
}
