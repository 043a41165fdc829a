import type { IsolatedOptions, Sections } from "../isolation.ts";

export async function benchMemory(_: IsolatedOptions): Promise<Sections> {
  return {};
}
