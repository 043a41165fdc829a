const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How values other than entities are stored; entities have `encodeEntity` of @fiberlb/types. */
export const encodeText = (text: string): Uint8Array => encoder.encode(text);
export const decodeText = (bytes: Uint8Array): string => decoder.decode(bytes);
export const encodeJson = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));
/** The caller says what it wrote there. */
export const decodeJson = (bytes: Uint8Array): unknown => JSON.parse(decoder.decode(bytes));
