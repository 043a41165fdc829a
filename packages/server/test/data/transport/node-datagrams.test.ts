import { createNodeDatagrams } from "../../../src/data/transport/node-datagrams.ts";
import { datagramContract } from "./datagram.contract.ts";

datagramContract("node:dgram", createNodeDatagrams);
