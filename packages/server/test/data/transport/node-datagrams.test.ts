import { describe, expect, it } from "@jest/globals";

import { createNodeDatagrams } from "../../../src/data/transport/node-datagrams.ts";
import { loadUdpBinding } from "../../../src/data/transport/udp-binding.ts";
import { datagramContract } from "./datagram.contract.ts";

const binding = loadUdpBinding();

datagramContract("dgram.Socket", () => createNodeDatagrams({ binding: undefined }));
if (binding !== undefined) datagramContract("UDP handles", () => createNodeDatagrams({ binding }));

describe("loadUdpBinding", () => {
  it("finds the handles in the Node that this project ships with", () => {
    expect(binding).toBeDefined();
  });

  it.each(["22.18.0", "25.9.0", "26.9.0", "27.0.0"])("leaves the handles of Node %s alone", (version) => {
    expect(loadUdpBinding(version)).toBeUndefined();
  });
});
