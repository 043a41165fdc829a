import { afterEach, beforeEach, expect, it } from "@jest/globals";
import fc from "fast-check";

import { pattern } from "../peer.ts";
import { type CreateTransport, type Pair, Rig, type Wire } from "./rig.ts";

const CONNECTIONS = 4;
const MAX_WRITE_BYTES = 150_000;

/** What is done to one of several connections, or to its peer. */
type Step =
  | { readonly kind: "write"; readonly bytes: number }
  | {
      readonly kind: "pause" | "resume" | "shutdown" | "close" | "reset" | "read" | "stall" | "peer end" | "peer reset";
    };

const size = fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: MAX_WRITE_BYTES }));
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: size.map((bytes): Step => ({ kind: "write", bytes })) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step>({ kind: "read" }, { kind: "stall" }, { kind: "pause" }, { kind: "resume" }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Step>(
      { kind: "shutdown" },
      { kind: "close" },
      { kind: "reset" },
      { kind: "peer end" },
      { kind: "peer reset" },
    ),
  },
);
const script = fc.array(fc.tuple(fc.nat(CONNECTIONS - 1), anyStep, fc.boolean()), { minLength: 10, maxLength: 60 });

/** One of several connections that share what their engine keeps for a thread. */
class Actor {
  readonly pair: Pair;
  readonly #bytes: Buffer;
  readonly #memory = Buffer.alloc(MAX_WRITE_BYTES);
  #written = 0;
  /** No write counts any more. */
  #isOver = false;
  /** Bytes may be missing at the end. */
  #isCut = false;

  constructor(pair: Pair, seed: number) {
    this.pair = pair;
    this.#bytes = pattern(60 * MAX_WRITE_BYTES, seed);
    pair.peer.read();
  }

  take(step: Step): void {
    const { connection, peer } = this.pair;
    if (step.kind === "write") this.#write(step.bytes);
    else if (step.kind === "read") peer.socket.resume();
    else if (step.kind === "stall") peer.socket.pause();
    else if (step.kind === "peer end") peer.socket.end();
    else if (step.kind === "peer reset") {
      this.#isCut = true;
      peer.reset();
    } else {
      if (step.kind === "reset") this.#isCut = true;
      if (step.kind !== "pause" && step.kind !== "resume") this.#isOver = true;
      connection[step.kind]();
    }
  }

  #write(bytes: number): void {
    this.#memory.set(this.#bytes.subarray(this.#written, this.#written + bytes));
    this.pair.connection.write(this.#memory.subarray(0, bytes));
    this.#memory.fill(0xee);
    if (!this.#isOver) this.#written += bytes;
  }

  /** Ends it in order, and says what the peer has seen of it. */
  async finish(): Promise<Ending> {
    const { connection, recorder, peer } = this.pair;
    connection.shutdown();
    connection.resume();
    peer.socket.resume();
    if (!this.#isCut) await Promise.race([peer.end(), peer.closed]);
    peer.socket.end();
    await Promise.all([recorder.heard("close"), peer.closed]);
    const times = (name: string): number => recorder.events.filter((event) => event === name).length;
    const { received } = peer;
    return {
      closes: times("close"),
      ends: times("end"),
      isInOrder: received.equals(this.#bytes.subarray(0, received.length)),
      missing: this.#isCut ? 0 : this.#written - received.length,
    };
  }
}

/** How a connection has ended. */
interface Ending {
  readonly closes: number;
  readonly ends: number;
  /** What has come is the beginning of what was written. */
  readonly isInOrder: boolean;
  /** Bytes that were to come and have not. */
  readonly missing: number;
}

/** Several connections at once, in any order of what may be done to them: their bytes are their own. */
export function interleavingContract(create: CreateTransport, wire: Wire): void {
  let rig: Rig;
  beforeEach(() => void (rig = new Rig(create, { wire })));
  afterEach(() => rig.close());

  it("keeps the bytes of each connection whole, in order and apart, whatever is done meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(script, async (steps) => {
        const pairs = await Promise.all(
          Array.from({ length: CONNECTIONS }, (_, i) => (i % 2 === 0 ? rig.accepted() : rig.outgoing())),
        );
        const actors = pairs.map((pair, i) => new Actor(pair, i + 1));
        for (const [i, what, isTurn] of steps) {
          actors[i]?.take(what);
          if (isTurn) await new Promise<void>((resolve) => void setImmediate(resolve));
        }
        for (const { ends, ...ending } of await Promise.all(actors.map((actor) => actor.finish()))) {
          expect(ending).toEqual({ closes: 1, isInOrder: true, missing: 0 });
          expect(ends).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: Number(process.env["FIBERLB_FUZZ_RUNS"] ?? 4000) / 400 },
    );
  });
}
