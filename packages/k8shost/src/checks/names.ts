import { show } from "@fiberlb/types";

import type { Violations } from "./violations.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_CHARS = 63;
const SUBDOMAIN_CHARS = 253;

/** A DNS label (RFC 1123): names of Services, namespaces, ports. */
export function checkLabelName(name: string, field: string, to: Violations): void {
  if (name === "") return to.require(false, field);
  if (name.length > LABEL_CHARS) return to.short(name, field, LABEL_CHARS);
  if (!LABEL.test(name))
    to.add(
      field,
      "INVALID_FORMAT",
      `must be of a-z, 0-9 and hyphen, beginning and ending with a letter or digit, not ${show(name)}`,
    );
}

/** DNS labels with dots between: names of Pods, Deployments, nodes. */
export function checkSubdomainName(name: string, field: string, to: Violations): void {
  if (name === "") return to.require(false, field);
  if (name.length > SUBDOMAIN_CHARS) return to.short(name, field, SUBDOMAIN_CHARS);
  if (!SUBDOMAIN.test(name))
    to.add(
      field,
      "INVALID_FORMAT",
      `must be of a-z, 0-9, hyphen and dot, each part beginning and ending with a letter or digit, not ${show(name)}`,
    );
}

/** `name` or `prefix/name`, as keys of labels and annotations and as finalizers. */
export function checkQualifiedName(name: string, field: string, to: Violations): void {
  const slash = name.indexOf("/");
  const prefix = slash < 0 ? undefined : name.slice(0, slash);
  const own = name.slice(slash + 1);
  const isFine =
    own.length <= LABEL_CHARS &&
    QUALIFIED.test(own) &&
    (prefix === undefined || (prefix.length <= SUBDOMAIN_CHARS && SUBDOMAIN.test(prefix)));
  if (!isFine)
    to.add(
      field,
      "INVALID_FORMAT",
      `must be a name of at most 63 characters such as app or example.com/app, not ${show(name)}`,
    );
}

/** Values of labels. */
export function checkLabelValue(value: string, field: string, to: Violations): void {
  if (value === "") return;
  if (value.length > LABEL_CHARS || !QUALIFIED.test(value))
    to.add(
      field,
      "INVALID_FORMAT",
      `must be at most 63 of a-z, A-Z, 0-9, hyphen, underscore and dot, not ${show(value)}`,
    );
}
