import { create } from "@bufbuild/protobuf";
import {
  BackendStatus,
  LoadBalancerStatusSchema,
  OperatingStatus,
  PoolAlgorithm,
  ProvisioningStatus,
} from "@fiberlb/api";
import { expect, it } from "@jest/globals";

import { paletteFor } from "../../src/output/colour.ts";
import { statusTree } from "../../src/output/status-tree.ts";
import { renderTree } from "../../src/output/tree.ts";

const status = create(LoadBalancerStatusSchema, {
  name: "web",
  vipAddress: "203.0.113.7",
  provisioningStatus: ProvisioningStatus.ERROR,
  operatingStatus: OperatingStatus.DEGRADED,
  statusReason: "node lb-1: port 80 is in use",
  pools: [
    {
      id: "1",
      name: "app",
      algorithm: PoolAlgorithm.MAGLEV,
      provisioningStatus: ProvisioningStatus.ACTIVE,
      operatingStatus: OperatingStatus.DEGRADED,
      backends: [
        {
          name: "b1",
          address: "fd00::1",
          port: 80,
          weight: 1,
          status: BackendStatus.OFFLINE,
          statusReason: "connection refused",
        },
        { name: "b2", address: "10.0.0.2", port: 80, weight: 0, status: BackendStatus.DRAINING },
      ],
    },
  ],
});

it("shows reasons, and the provisioning status where it is not ACTIVE", () => {
  expect(renderTree(statusTree(status, paletteFor(false))))
    .toBe(`web  203.0.113.7  ERROR  DEGRADED  (node lb-1: port 80 is in use)
└─ pool  app  MAGLEV  used by no listener  DEGRADED
   ├─ backend  b1  [fd00::1]:80  weight 1  OFFLINE  (connection refused)
   └─ backend  b2  10.0.0.2:80  weight 0  DRAINING
`);
});

it("does not repeat what the line above has said", () => {
  const told = {
    provisioningStatus: ProvisioningStatus.ERROR,
    operatingStatus: OperatingStatus.ERROR,
    statusReason: "no data plane node",
  };
  const pool = { ...told, name: "app", algorithm: PoolAlgorithm.RANDOM };
  const tree = statusTree(
    create(LoadBalancerStatusSchema, { ...told, name: "web", vipAddress: "::1", pools: [pool] }),
    paletteFor(false),
  );
  expect(renderTree(tree)).toBe(
    "web  ::1  ERROR  ERROR  (no data plane node)\n└─ pool  app  RANDOM  used by no listener  ERROR\n",
  );
});

it("colours statuses", () => {
  const text = renderTree(statusTree(status, paletteFor(true)));
  expect(text).toContain("\u001b[31mOFFLINE\u001b[39m");
  expect(text).toContain("\u001b[33mDRAINING\u001b[39m");
});
