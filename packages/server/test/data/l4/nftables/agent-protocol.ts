/** What a test asks of an agent in a network namespace. */
export type AgentCall =
  | { readonly kind: "serve"; readonly addresses: readonly string[]; readonly port: number }
  | {
      readonly kind: "open";
      readonly transport: "tcp" | "udp";
      readonly from?: string;
      readonly host: string;
      readonly port: number;
      readonly count: number;
      /** Keeps TCP connections open, for `echo-held`. */
      readonly hold?: boolean;
    }
  | { readonly kind: "echo-held" };

/** What came of one flow. */
export interface FlowResult {
  readonly source: { readonly address: string; readonly port: number };
  /** The backend's address, and the address that it saw. */
  readonly backend?: string;
  readonly seen?: string;
  /** Error code. */
  readonly error?: string;
}
