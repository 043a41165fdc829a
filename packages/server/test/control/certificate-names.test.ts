import { describe, expect, test } from "@jest/globals";

import { alternativeNames, certificateNames } from "../../src/control/certificate-names.ts";
import { issue } from "../openssl.ts";

const namesOf = (subject: string, ...names: readonly string[]) =>
  certificateNames(issue({ subject, alternativeNames: names }).pem);

describe("certificateNames", () => {
  test("are the alternative names in lower case, each once, without the common name", () =>
    expect(namesOf("/CN=cn.test", "DNS:A.test", "DNS:*.B.test", "DNS:a.test")).toEqual(["a.test", "*.b.test"]));

  test("leave out what names no server", () =>
    expect(namesOf("/CN=cn.test", "IP:192.0.2.1", "DNS:a.test", "URI:https://b.test", "email:a@c.test")).toEqual([
      "a.test",
    ]));

  test("are the common name when no alternative name is a DNS name", () => {
    expect(namesOf("/O=Example/CN=CN.test")).toEqual(["cn.test"]);
    expect(namesOf("/CN=cn.test", "IP:192.0.2.1")).toEqual(["cn.test"]);
  });

  test("are none when there is no name that a client could ask for", () => {
    expect(namesOf("/CN=Example Inc")).toEqual([]);
    expect(namesOf("/O=Example")).toEqual([]);
    expect(namesOf("/")).toEqual([]);
  });

  test("are those of the leaf alone", () => {
    const [leaf, other] = [issue({ subject: "/CN=a.test" }), issue({ subject: "/CN=b.test" })];
    expect(certificateNames(leaf.pem + other.pem)).toEqual(["a.test"]);
  });
});

describe("alternativeNames", () => {
  test("reads nothing as nothing", () => expect(alternativeNames(undefined)).toEqual([]));

  test("reads a quoted name as one", () =>
    expect(alternativeNames('DNS:a.test, DNS:"b.test, DNS:evil.test", IP Address:192.0.2.1')).toEqual([
      { type: "DNS", name: "a.test" },
      { type: "DNS", name: "b.test, DNS:evil.test" },
      { type: "IP Address", name: "192.0.2.1" },
    ]));
});
