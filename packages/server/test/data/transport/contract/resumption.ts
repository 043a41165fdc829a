import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { TICKET_EPOCH_MS } from "../../../../src/data/tls/ticket-keys.ts";
import type { ListenerTls } from "../../../../src/data/tls/tls-server.ts";
import type { TlsUnit } from "../../../../src/snapshot/snapshot.ts";
import { FakeClock } from "../../../fake-clock.ts";
import { Certificates, type ClientOptions, connectClient, listenerTls, Serving, ticketOf } from "./handshake-rig.ts";
import { type CreateTransport, Rig } from "./rig.ts";

/** Session tickets: which listener, worker and time they are good for. */
export function resumptionContract(create: CreateTransport): void {
  const certificates = Certificates.get();
  const { authority, stranger, client } = certificates;
  let rig: Rig;
  beforeEach(() => void (rig = new Rig(create)));
  afterEach(() => rig.close());

  /** Gets a ticket from one listener and shows it to the other. */
  async function resumes(from: ListenerTls, to: ListenerTls, options: ClientOptions = {}): Promise<boolean> {
    const [first, second] = [await Serving.start(rig, () => from.server), await Serving.start(rig, () => to.server)];
    const session = await ticketOf(first.listening.port, options);
    const socket = await connectClient(second.listening.port, { ...options, session });
    const { connection, recorder } = await second.next();
    await recorder.heard("connect");
    expect(socket.isSessionReused()).toBe(connection.tls?.isResumed);
    if (options.certificate !== undefined) {
      expect(connection.tls?.clientCertificate?.subject).toMatchObject({ CN: "ada" });
    }
    // It works, resumed or not.
    socket.write("ping");
    await recorder.receivedAtLeast(4);
    socket.destroy();
    return connection.tls!.isResumed;
  }

  const required: Partial<TlsUnit> = { clientAuth: "REQUIRED", clientCaPem: authority.pem };
  const optional: Partial<TlsUnit> = { ...required, clientAuth: "OPTIONAL" };
  const bothAuthorities: Partial<TlsUnit> = { ...required, clientCaPem: authority.pem + stranger.pem };
  const manyNames: Partial<TlsUnit> = { certificates: [certificates.main, certificates.exact] };

  describe.each(["TLSv1.2", "TLSv1.3"] as const)("a ticket of %s", (maxVersion) => {
    it("is good for another worker of the same listener", async () => {
      expect(await resumes(listenerTls(), listenerTls(), { maxVersion })).toBe(true);
    });

    it("is good for a name that has a certificate of its own", async () => {
      const options = { maxVersion, servername: "a.wild.test" };
      expect(await resumes(listenerTls(manyNames), listenerTls(manyNames), options)).toBe(true);
    });

    it("brings the client's certificate along", async () => {
      expect(await resumes(listenerTls(required), listenerTls(required), { maxVersion, certificate: client })).toBe(
        true,
      );
    });

    it("is good until the end of its epoch", async () => {
      const clock = new FakeClock();
      clock.advance(TICKET_EPOCH_MS - 1);
      expect(await resumes(listenerTls(), listenerTls({}, "listener-1", clock), { maxVersion })).toBe(true);
    });

    it.each([
      ["another listener", {}, listenerTls({}, "listener-2")],
      ["a listener that asks for certificates", {}, listenerTls(optional)],
      ["one that asks for none any more", optional, listenerTls()],
      ["one that insists on certificates now", optional, listenerTls(required)],
      ["one that believes other authorities", required, listenerTls(bothAuthorities)],
    ] as const)("is not good for %s", async (_name, from, to) => {
      const certificate = "clientAuth" in from && to.server.clientAuth !== "NONE" ? { certificate: client } : {};
      expect(await resumes(listenerTls(from), to, { maxVersion, ...certificate })).toBe(false);
    });

    it("costs a full handshake in the next epoch, and no error", async () => {
      const clock = new FakeClock();
      const listener = listenerTls({}, "listener-1", clock);
      const { listening, next } = await Serving.start(rig, () => listener.server);
      const session = await ticketOf(listening.port, { maxVersion });
      clock.advance(TICKET_EPOCH_MS);
      const late = await connectClient(listening.port, { maxVersion, session });
      expect(late.isSessionReused()).toBe(false);
      const renewed = await ticketOf(listening.port, { maxVersion });
      const again = await connectClient(listening.port, { maxVersion, session: renewed });
      expect(again.isSessionReused()).toBe(true);
      for (const isResumed of [false, false, false, true]) {
        const { connection, recorder } = await next();
        await recorder.heard("connect");
        expect(connection.tls?.isResumed).toBe(isResumed);
      }
      late.destroy();
      again.destroy();
    });
  });
}
