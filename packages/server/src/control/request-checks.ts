import { parseId, toSnakeCase, type Violation } from "@fiberlb/types";

/** What every List request has; the parent's field comes beside it. */
export interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Largest page that a List answers. */
export const MAX_PAGE_SIZE = 1000;
const MAX_REQUEST_ID_CHARS = 128;

export function idViolations(field: string, id: string | undefined): Violation[] {
  if (id === undefined || id === "") return [{ field, description: "is required", reason: "REQUIRED" }];
  const parsed = parseId(id);
  return parsed.ok ? [] : [{ field, description: parsed.error, reason: "INVALID_FORMAT" }];
}

export function requestIdViolations(requestId: string): Violation[] {
  const printable = /^[\x21-\x7e]*$/.test(requestId);
  if (printable && requestId.length <= MAX_REQUEST_ID_CHARS) return [];
  const description = `must have at most ${MAX_REQUEST_ID_CHARS} printable ASCII characters without spaces`;
  return [{ field: "request_id", description, reason: printable ? "TOO_LONG" : "INVALID_FORMAT" }];
}

export function listViolations(request: ListRequest, parentField: string | undefined): Violation[] {
  const parentId = parentField === undefined ? "" : (request as unknown as Record<string, unknown>)[parentField];
  return [
    ...(request.pageSize > MAX_PAGE_SIZE
      ? [
          {
            field: "page_size",
            description: `must be at most ${MAX_PAGE_SIZE}, not ${request.pageSize}`,
            reason: "OUT_OF_RANGE",
          } as const,
        ]
      : []),
    ...(typeof parentId === "string" && parentId !== "" ? idViolations(toSnakeCase(parentField ?? ""), parentId) : []),
  ];
}

/** `field` is the resource's field in the request: `load_balancer`. */
export function updateViolations(field: string, id: string | undefined, mask: readonly string[]): Violation[] {
  const noMask: Violation = {
    field: "update_mask",
    description: 'is required: name the fields that change, such as "name,description"',
    reason: "REQUIRED",
  };
  return [...idViolations(`${field}.id`, id), ...(mask.length === 0 ? [noMask] : [])];
}
