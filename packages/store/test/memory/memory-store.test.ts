import { createMemoryStore } from "../../src/index.ts";
import { describeStore } from "../store.contract.ts";

describeStore("memory", (clock) => Promise.resolve(createMemoryStore({ clock })));
