import { expect, test } from "@jest/globals";

import { Announcements } from "../src/announcements.ts";
import { SpeakerError } from "../src/index.ts";
import { RouteReader } from "../src/routes/check-routes.ts";
import type { Path } from "../src/routes/path.ts";
import { manyRoutes } from "./lab/routes.ts";

const routes = manyRoutes(3);
const paths = [...new RouteReader().read(routes).values()] as [Path, Path, Path];

test("each gets what was done since it asked", async () => {
  const announcements = new Announcements();
  const first = announcements.wait();
  announcements.record({ withdraw: [], add: [paths[0], paths[1]] });
  const second = announcements.wait();
  announcements.record({ withdraw: [paths[0]], add: [paths[2]] });
  announcements.settle({ desired: 2, refused: [] });
  expect(await first).toEqual({ added: [routes[1], routes[2]], withdrawn: [routes[0]], unchanged: 0 });
  expect(await second).toEqual({ added: [routes[2]], withdrawn: [routes[0]], unchanged: 1 });
});

test("a refusal by the daemon is an error that names the route, and how many more", async () => {
  const announcements = new Announcements();
  const waiting = announcements.wait();
  const refused = paths.map((path) => ({ path, reason: "too long" }));
  announcements.settle({ desired: 3, refused });
  await expect(waiting).rejects.toThrow(SpeakerError);
  await expect(waiting).rejects.toThrow("GoBGP refused to announce 203.0.0.0/32: too long, and 2 more");
});

test("nobody is told twice", async () => {
  const announcements = new Announcements();
  const waiting = announcements.wait();
  announcements.fail(new SpeakerError("gone"));
  announcements.settle({ desired: 0, refused: [] });
  await expect(waiting).rejects.toThrow("gone");
});
