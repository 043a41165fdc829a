/** The slots of a table: at each, the index of a backend in `table.backends`. */
export type SlotArray = Uint16Array | Uint32Array;

/** Provides the memory for a table's slots; return a SharedArrayBuffer to share one table over threads. */
export type AllocateSlots = (byteLength: number) => ArrayBufferLike;

/** The largest number of backends that fit 16-bit slots; 0xffff is kept for the slots of an empty table. */
const MAX_NARROW_BACKENDS = 0xffff;

const allocatePrivate: AllocateSlots = (byteLength) => new ArrayBuffer(byteLength);

/** The bytes one table needs: two a slot up to 65,535 backends, else four. */
export function slotsByteLength(size: number, backendCount: number): number {
  return size * (backendCount <= MAX_NARROW_BACKENDS ? 2 : 4);
}

/**
 * New slots, all set to the value that no backend has.
 * @throws RangeError if the allocator returned too little memory
 */
export function createSlots(size: number, backendCount: number, allocate = allocatePrivate): SlotArray {
  const byteLength = slotsByteLength(size, backendCount);
  const buffer = allocate(byteLength);
  if (buffer.byteLength < byteLength) {
    throw new RangeError(
      `Cannot place a table of ${size} slots: the allocator returned ${buffer.byteLength} bytes of ${byteLength}`,
    );
  }
  const slots = byteLength === size * 2 ? new Uint16Array(buffer, 0, size) : new Uint32Array(buffer, 0, size);
  return slots.fill(0xffff_ffff);
}
