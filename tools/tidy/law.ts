import type { Repository } from "./repository.ts";

/** One breach of a law: where, and what to do about it. */
export interface Violation {
  file: string;
  /** Absent when the file as a whole is meant. */
  line?: number;
  message: string;
}

/** A rule of the house that a program can check. */
export interface Law {
  name: string;
  check: (repository: Repository) => Violation[];
}

/** `file:line: message`, as editors and terminals make it a link. */
export const format = ({ file, line, message }: Violation): string =>
  `${file}${line === undefined ? "" : `:${line}`}: ${message}`;
