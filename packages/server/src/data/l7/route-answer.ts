import type { RejectReason } from "../data-plane.ts";
import { type LocalResponse, statusResponse } from "./local-response.ts";
import type { PoolRoute, Route } from "./route-outcome.ts";

/** What a request is answered that goes to no pool. */
export interface RouteAnswer {
  readonly response: LocalResponse;
  /** Set when the request is turned away. */
  readonly rejected?: RejectReason;
}

/** The answer of a route that leads to no pool. `reason` is in it whether it is to be shown or not. */
export function answerOf(route: Exclude<Route, PoolRoute>): RouteAnswer {
  const edits = route.setResponseHeaders;
  switch (route.kind) {
    case "redirect":
      return { response: { ...statusResponse(route.code), location: route.location, edits } };
    case "fixed-response":
      return { response: { status: route.code, contentType: route.contentType, body: route.body, edits } };
    case "reject":
      return { response: { ...statusResponse(403), edits, reason: "policy" }, rejected: "policy" };
    case "bad-request":
      return { response: { ...statusResponse(400), edits, reason: route.reason }, rejected: "bad-request" };
    case "no-pool":
      return { response: { ...statusResponse(503), edits, reason: "no-pool" }, rejected: "no-pool" };
  }
}
