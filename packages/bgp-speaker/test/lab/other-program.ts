import type { GobgpApi } from "../../src/gobgp/api.ts";
import { type Connection, openConnection } from "../../src/gobgp/connection.ts";
import { createApi } from "../../src/gobgp/create-api.ts";
import type { Target } from "../../src/gobgp/target.ts";
import { wireV3 } from "../../src/gobgp/v3/wire.ts";
import { wireV4 } from "../../src/gobgp/v4/wire.ts";
import type { Route } from "../../src/index.ts";
import { RouteReader } from "../../src/routes/check-routes.ts";
import { routeOf } from "../../src/routes/path.ts";

/** A program that uses the daemon's API beside the speaker, and sees the paths with one identifier. */
export class OtherProgram {
  readonly api: GobgpApi;
  readonly #connection: Connection;

  constructor(target: Target, generation: 3 | 4, identifier: number) {
    this.#connection = openConnection(target);
    const { transport } = this.#connection;
    this.api = generation === 3 ? createApi(wireV3(transport), identifier) : createApi(wireV4(transport), identifier);
  }

  async routes(): Promise<Route[]> {
    return (await this.api.listPaths({})).map(routeOf);
  }

  async add(routes: readonly Route[]): Promise<void> {
    await this.api.apply({ withdraw: [], add: [...new RouteReader().read(routes).values()] }, {});
  }

  async remove(routes: readonly Route[]): Promise<void> {
    await this.api.apply({ withdraw: [...new RouteReader().read(routes).values()], add: [] }, {});
  }

  close(): void {
    this.#connection.close();
  }
}
