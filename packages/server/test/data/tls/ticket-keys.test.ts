import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { deriveTicketKeys, ticketEpoch, TICKET_EPOCH_MS, type TicketScope } from "../../../src/data/tls/ticket-keys.ts";
import { TestAuthority } from "./authority.ts";

const secret = Buffer.alloc(32, 1);
const first = new TestAuthority("first").pem;
const second = new TestAuthority("second").pem;
const scope: TicketScope = { listenerId: "a", clientAuth: "REQUIRED", clientCaPem: first, epoch: 7 };

describe("deriveTicketKeys", () => {
  it("makes 48 bytes and a context of 32 characters, always the same", () => {
    const { ticketKeys, sessionIdContext } = deriveTicketKeys(secret, scope);
    expect(ticketKeys).toHaveLength(48);
    expect(sessionIdContext).toMatch(/^[0-9a-f]{32}$/);
    expect(deriveTicketKeys(Buffer.from(secret), { ...scope })).toEqual({ ticketKeys, sessionIdContext });
  });

  // Another release beside this one must open its tickets.
  it("makes the keys that it always made", () => {
    const { ticketKeys, sessionIdContext } = deriveTicketKeys(secret, { ...scope, clientCaPem: undefined });
    expect(ticketKeys.toString("hex", 0, 16)).toBe("6627a383a8a079099f1d8d8656ec83e3");
    expect(sessionIdContext).toBe("66e7b59c085e44f2178efb4d8e74df6a");
  });

  it("makes others for any other listener, client authentication, authority, epoch or secret", () => {
    const text = fc.string({ maxLength: 12 });
    const scopes = fc.record<TicketScope>({
      listenerId: text,
      clientAuth: fc.constantFrom("NONE", "OPTIONAL", "REQUIRED"),
      clientCaPem: fc.constantFrom(undefined, first, second, first + second),
      epoch: fc.nat(),
    });
    const secrets = fc.constantFrom(secret, Buffer.alloc(32, 2), Buffer.alloc(33, 1));
    fc.assert(
      fc.property(fc.tuple(secrets, scopes), fc.tuple(secrets, scopes), (a, b) => {
        const [one, other] = [deriveTicketKeys(...a), deriveTicketKeys(...b)];
        const isSame = a[0].equals(b[0]) && JSON.stringify(entries(a[1])) === JSON.stringify(entries(b[1]));
        expect(one.ticketKeys.equals(other.ticketKeys)).toBe(isSame);
        expect(one.ticketKeys.subarray(0, 16).equals(other.ticketKeys.subarray(0, 16))).toBe(isSame);
        expect(one.sessionIdContext === other.sessionIdContext).toBe(isSame);
      }),
    );
  });

  it("does not mind blanks and comments around the certificates of the authority", () => {
    const spaced = { ...scope, clientCaPem: `# ours\n\n${first.trim()}\r\n` };
    expect(deriveTicketKeys(secret, spaced)).toEqual(deriveTicketKeys(secret, scope));
  });

  it("refuses a short secret without telling it", () => {
    expect(() => deriveTicketKeys(Buffer.alloc(31, 0x41), scope)).toThrow(
      new RangeError("Cannot derive ticket keys: the secret has 31 bytes, not 32"),
    );
  });
});

function entries({ listenerId, clientAuth, clientCaPem, epoch }: TicketScope): unknown[] {
  return [listenerId, clientAuth, clientCaPem, epoch];
}

describe("ticketEpoch", () => {
  it("goes up by one every epoch", () => {
    const start = 100 * TICKET_EPOCH_MS;
    expect([start - 1, start, start + TICKET_EPOCH_MS - 1, start + TICKET_EPOCH_MS].map(ticketEpoch)).toEqual([
      99, 100, 100, 101,
    ]);
  });
});
