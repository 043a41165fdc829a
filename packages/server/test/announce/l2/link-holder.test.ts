import { describe, expect, test } from "@jest/globals";

import type { LinkAddresses } from "../../../src/announce/l2/link-addresses.ts";
import { LinkHolder } from "../../../src/announce/l2/link-holder.ts";
import type { Tenure } from "../../../src/announce/l2/tenure.ts";
import { silentLog } from "../../../src/log.ts";
import { FakeClock } from "../../fake-clock.ts";

const VIP = "192.0.2.1";

/** A host whose commands take as long as the test says. */
class Rig {
  readonly clock = new FakeClock();
  readonly done: string[] = [];
  /** Notices that go on. */
  readonly telling = new Set<string>();
  tenure: Tenure | undefined = { ttlMs: 3000, confirmedAtMs: 0 };
  commandMs = 0;
  failure: string | undefined;
  readonly holder: LinkHolder;

  constructor() {
    const command = async (text: string, vips: readonly string[]): Promise<ReadonlyMap<string, string>> => {
      this.clock.advance(this.commandMs);
      this.done.push(text);
      const { failure } = this;
      return Promise.resolve(new Map(failure === undefined ? [] : vips.map((vip) => [vip, failure])));
    };
    const addresses: LinkAddresses = {
      keep: (device, vips, seconds) => command(`keep ${vips.join()} on ${device} for ${seconds} s`, vips),
      remove: (device, vips) => command(`remove ${vips.join()} from ${device}`, vips),
      list: () => Promise.resolve([]),
    };
    this.holder = new LinkHolder({
      clock: this.clock,
      log: silentLog,
      addresses,
      notice: {
        tell: (_device, vip) => {
          this.telling.add(vip);
          return () => this.telling.delete(vip);
        },
        close: () => undefined,
      },
      tenure: () => this.tenure,
    });
  }

  async confirm(atMs = this.clock.nowMs()): Promise<void> {
    this.tenure = { ttlMs: 3000, confirmedAtMs: atMs };
    this.holder.refresh();
    await settled();
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("VIPs that are held", () => {
  test("are put on the link at their time, told to the neighbours once, and renewed with the lease", async () => {
    const rig = new Rig();
    rig.holder.hold(VIP, "eth0", 300);
    await rig.confirm();
    expect(rig.done).toEqual([]);
    expect(rig.holder.state(VIP)).toMatchObject({
      isOnLink: false,
      reason: expect.stringContaining("before this one"),
    });
    await rig.confirm(200);
    await rig.advance(300);
    expect(rig.done).toEqual([`keep ${VIP} on eth0 for 2 s`]);
    expect(rig.telling).toEqual(new Set([VIP]));
    expect(rig.holder.state(VIP)).toEqual({ isOnLink: true, reason: "" });
    rig.telling.clear();
    await rig.advance(500);
    await rig.confirm();
    expect(rig.done).toHaveLength(2);
    expect(rig.telling.size).toBe(0);
  });

  test("are never given a shorter life by an older confirmation", async () => {
    const rig = new Rig();
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    await rig.advance(500);
    await rig.confirm(0);
    expect(rig.done).toEqual([`keep ${VIP} on eth0 for 2 s`]);
  });

  test("are taken off before the lease may have ended, and put back when it turns out that it had not", async () => {
    const rig = new Rig();
    rig.tenure = { ttlMs: 5000, confirmedAtMs: 0 };
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    expect(rig.done).toEqual([`keep ${VIP} on eth0 for 4 s`]);
    await rig.advance(4600);
    expect(rig.done.slice(1)).toEqual([`remove ${VIP} from eth0`]);
    expect(rig.telling.size).toBe(0);
    expect(rig.holder.state(VIP)).toMatchObject({ isOnLink: false, reason: expect.stringContaining("lease") });
    rig.tenure = { ttlMs: 5000, confirmedAtMs: 4600 };
    rig.holder.refresh();
    await settled();
    expect(rig.done.slice(2)).toEqual([`keep ${VIP} on eth0 for 4 s`]);
    expect(rig.telling).toEqual(new Set([VIP]));
  });

  test("get less when the host was slow to give them what they should have", async () => {
    const rig = new Rig();
    rig.commandMs = 400;
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    // Gone by 400 + 2000 + 1000 ms at the latest would be after 3170 ms.
    expect(rig.done).toEqual([`keep ${VIP} on eth0 for 2 s`, `keep ${VIP} on eth0 for 1 s`]);
    expect(rig.holder.state(VIP)).toEqual({ isOnLink: true, reason: "" });
  });

  test("are taken off again when the host was so slow that even a second is too much", async () => {
    const rig = new Rig();
    rig.commandMs = 1200;
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    expect(rig.done).toEqual([`keep ${VIP} on eth0 for 2 s`, `remove ${VIP} from eth0`]);
    expect(rig.holder.state(VIP)).toMatchObject({ isOnLink: false });
  });

  test("keep what a slow host gave them when the lease was renewed meanwhile", async () => {
    const rig = new Rig();
    rig.commandMs = 600;
    rig.clock.after(500, () => (rig.tenure = { ttlMs: 3000, confirmedAtMs: 500 }));
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    expect(rig.done).toEqual([`keep ${VIP} on eth0 for 2 s`]);
  });

  test("say why the kernel would not have them", async () => {
    const rig = new Rig();
    rig.failure = "RTNETLINK answers: Operation not permitted: needs CAP_NET_ADMIN";
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    expect(rig.holder.state(VIP)).toEqual({ isOnLink: false, reason: rig.failure });
    expect(rig.telling.size).toBe(0);
  });
});

describe("VIPs that are dropped", () => {
  test("are off the link when drop resolves, and nobody is told of them any more", async () => {
    const rig = new Rig();
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    await rig.holder.drop([VIP]);
    expect(rig.done.at(-1)).toBe(`remove ${VIP} from eth0`);
    expect(rig.telling.size).toBe(0);
    expect(rig.holder.isEmpty).toBe(true);
  });

  test("are waited for when they can't be taken off: until the kernel must have done it", async () => {
    const rig = new Rig();
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    rig.failure = "ip did not end";
    let isGone = false;
    const gone = rig.holder.drop([VIP]).then(() => (isGone = true));
    await rig.advance(2999);
    expect(isGone).toBe(false);
    await rig.advance(1);
    await gone;
  });

  test("cost no command when they were never on the link", async () => {
    const rig = new Rig();
    rig.tenure = undefined;
    rig.holder.hold(VIP, "eth0", 0);
    await settled();
    await rig.holder.drop([VIP]);
    expect(rig.done).toEqual([]);
  });
});
