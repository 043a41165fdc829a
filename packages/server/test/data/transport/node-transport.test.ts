import { describe, expect, it, jest } from "@jest/globals";

import { createNodeTransport } from "../../../src/data/transport/node-transport.ts";
import { loadTcpBinding } from "../../../src/data/transport/tcp-binding.ts";
import { transportContract } from "./transport.contract.ts";

// Megabytes move here, on machines that do other things besides.
jest.setTimeout(30_000);

const binding = loadTcpBinding();

transportContract("net.Socket", (clock) => createNodeTransport({ clock, binding: undefined }));
if (binding !== undefined) transportContract("TCP handles", (clock) => createNodeTransport({ clock, binding }));

describe("loadTcpBinding", () => {
  it("finds the handles in the Node that this project ships with", () => {
    expect(binding).toBeDefined();
  });

  it.each(["22.18.0", "25.9.0", "26.9.0", "27.0.0"])("leaves the handles of Node %s alone", (version) => {
    expect(loadTcpBinding(version)).toBeUndefined();
  });
});
