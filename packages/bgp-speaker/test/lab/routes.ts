import type { Route } from "../../src/index.ts";

/** A route, to a next hop of its family when none is given. */
export const route = ({ prefix, nextHop, ...rest }: Partial<Route> & Pick<Route, "prefix">): Route => ({
  ...rest,
  prefix,
  nextHop: nextHop ?? (prefix.includes(":") ? "2001:db8:99::1" : "10.99.0.1"),
});

/** As many host routes, all different. */
export const manyRoutes = (count: number): Route[] =>
  Array.from({ length: count }, (_, index) => route({ prefix: `203.0.${index >> 8}.${index & 255}/32` }));

/** For comparing, whatever the order. */
export const byPrefix = (routes: readonly Route[]): Route[] =>
  routes.toSorted((a, b) => (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : 0));
