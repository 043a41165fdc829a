/** A whole read of the transport, and a head before it. */
const CAPACITY = 96 * 1024;

const shared: Uint8Array = Buffer.allocUnsafeSlow(CAPACITY);

/**
 * Memory to put one message together in before it is written: the transport copies what it is given, so that one buffer
 * a thread is enough. Its content is lost with the next call.
 * @param bytes how much is needed at least.
 */
export const scratch = (bytes: number): Uint8Array => (bytes <= CAPACITY ? shared : Buffer.allocUnsafeSlow(bytes));
