/** Where GoBGP's API is. */
export type Target =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "http" | "https"; readonly baseUrl: string };

/** @throws TypeError that says what would be right */
export function parseTarget(text: string): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "unix:" && url.host === "" && url.pathname.length > 1) {
    return { kind: "unix", path: decodeURIComponent(url.pathname) };
  }
  if (url?.protocol === "http:") return { kind: "http", baseUrl: url.origin };
  if (url?.protocol === "https:") return { kind: "https", baseUrl: url.origin };
  throw new TypeError(
    `Cannot create a speaker: gobgp must be unix:///path/to/socket, http://host:port or https://host:port, not ${JSON.stringify(text)}`,
  );
}
