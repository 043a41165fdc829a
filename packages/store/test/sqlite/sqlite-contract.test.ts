import { openSqliteStore } from "../../src/index.ts";
import { describeStore } from "../store.contract.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

const freshPath = useTemporaryDirectory();

describeStore("SQLite", (clock) => openSqliteStore({ path: freshPath(), clock }));
