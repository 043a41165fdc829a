import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";

import { messageToPlain, type Plain, plainToMessage } from "./convert.ts";

/**
 * A message from one or more domain objects, later ones winning: `toMessage(ListenerSchema, listener, status)`. Fields that
 * the message does not have, such as a sealed private key, are left out.
 * @throws TypeError when an enum field has a value that the enum lacks.
 */
export function toMessage<Desc extends DescMessage>(schema: Desc, ...parts: readonly object[]): MessageShape<Desc> {
  return plainToMessage(schema, Object.assign({}, ...parts) as Plain) as MessageShape<Desc>;
}

/**
 * The fields of a message that are present, as the domain names them; enums without value are absent. What it gives is not
 * checked: hand it to `parseSpec` or `applyUpdate` of `@fiberlb/types`.
 */
export function fromMessage<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Plain {
  return messageToPlain(schema, message);
}

/** What every Create request carries beside the resource's own fields. */
export interface CreateInput {
  /** For `parseSpec`. */
  readonly input: Readonly<Plain>;
  /** Empty when the client gave none. */
  readonly requestId: string;
  readonly validateOnly: boolean;
}

/** Splits a Create request into the resource's fields and the call's. */
export function fromCreateRequest<Desc extends DescMessage>(schema: Desc, request: MessageShape<Desc>): CreateInput {
  const { requestId = "", validateOnly = false, ...input } = messageToPlain(schema, request);
  return { input, requestId: requestId as string, validateOnly: validateOnly as boolean };
}

/** Paths of an update mask, each once; empty when there is none. */
export const fieldMaskPaths = (mask: FieldMask | undefined): readonly string[] => [...new Set(mask?.paths)];
