/** What a test asks of an agent in a network namespace. */
export type AgentCall =
  | { readonly kind: "serve"; readonly addresses: readonly string[]; readonly port: number; readonly name?: string }
  | { readonly kind: "serve-http"; readonly addresses: readonly string[]; readonly port: number }
  | {
      readonly kind: "open";
      readonly transport: "tcp" | "udp";
      readonly from?: string;
      readonly host: string;
      readonly port: number;
      readonly count: number;
      /** Of datagrams: the source port of the first flow, the next one's is one more. */
      readonly firstPort?: number;
      /** Keeps TCP connections open, for `echo-held`. */
      readonly hold?: boolean;
    }
  | { readonly kind: "echo-held" }
  | { readonly kind: "drop-held" }
  | { readonly kind: "transfer"; readonly host: string; readonly port: number; readonly bytes: number };

/** What came of one flow. */
export interface FlowResult {
  readonly source: { readonly address: string; readonly port: number };
  /** The backend's name or address, and the address that it saw. */
  readonly backend?: string;
  readonly seen?: string;
  /** Error code. */
  readonly error?: string;
}

/** What came of a connection that was held, or of a transfer: `ok` when every byte came back as it was sent. */
export interface EchoResult {
  readonly backend: string;
  /** `ok`, or an error's code. */
  readonly outcome: string;
}
