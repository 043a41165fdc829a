import { expect, test } from "@jest/globals";

import { parseControllerConfig } from "../../src/controller/settings.ts";

const nothing = { server: undefined, k8shost: undefined, clusterName: undefined, adminListen: undefined };
const parse = (text: string, given = {}) =>
  parseControllerConfig({ name: "controller.yaml", text }, { ...nothing, ...given });

test("flags alone, with defaults", () => {
  expect(parseControllerConfig(undefined, { ...nothing, k8shost: "http://127.0.0.1:6443" })).toEqual({
    config: {
      fiberlb: { server: "http://127.0.0.1:9080" },
      k8shost: { server: "http://127.0.0.1:6443" },
      adminListen: "127.0.0.1:9082",
    },
  });
});

test("a file, and flags over it", () => {
  const text = `
fiberlb: { server: "https://lb-1:9080", tokenFile: /run/token, caFile: /etc/ca.pem }
k8shost: { server: "https://host:6443" }
clusterName: blue
concurrency: 4
admin: { listen: "127.0.0.1:9999" }
`;
  expect(parse(text, { server: "https://lb-2:9080", clusterName: "green" })).toEqual({
    config: {
      fiberlb: { server: "https://lb-2:9080", tokenFile: "/run/token", caFile: "/etc/ca.pem" },
      k8shost: { server: "https://host:6443" },
      clusterName: "green",
      concurrency: 4,
      adminListen: "127.0.0.1:9999",
    },
  });
});

test("everything that is wrong is told at once", () => {
  const text = "fiberlb: { sever: x }\nk8shost: here\nconcurency: 4\nresyncIntervalMs: soon\n";
  expect(parse(text)).toEqual({
    problems: [
      "fiberlb.sever is not known; did you mean server?",
      "k8shost must be a map",
      "concurency is not known; did you mean concurrency?",
      "resyncIntervalMs must be a whole number from 1",
      "k8shost.server is required: where k8shost is, such as --k8shost http://127.0.0.1:6443",
    ],
  });
  expect(parse("a: [")).toMatchObject({ problems: [expect.stringMatching(/^controller\.yaml: /), expect.anything()] });
});
