import type { Cidr } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { KeyRing } from "../repository/key-ring.ts";
import type { Repository } from "../repository/repository.ts";
import type { Presenter } from "./presenter.ts";
import type { TrafficReader } from "./traffic.ts";

/** What the services work with. */
export interface ServiceOptions {
  readonly repository: Repository;
  readonly presenter: Presenter;
  readonly clock: Clock;
  readonly keyRing: KeyRing;
  /** Backends may not be there. */
  readonly deniedCidrs: readonly Cidr[];
  readonly traffic: TrafficReader;
}
