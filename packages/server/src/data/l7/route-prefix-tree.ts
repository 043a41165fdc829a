/** A node of the tree; `label` is the text between its parent and itself. */
interface Node<T> {
  label: string;
  value: T | undefined;
  /** By the first code unit of the child's label. */
  children: Map<number, Node<T>> | undefined;
}

const node = <T>(label: string, value?: T): Node<T> => ({ label, value, children: undefined });

/**
 * Finds all keys that a text begins with, in a walk along the text (a radix tree): the cost grows with the text and the
 * keys found, not with the number of keys.
 */
export class PrefixTree<T> {
  readonly #root: Node<T> = node("");

  /** The value of a key; made when there is none. */
  getOrAdd(key: string, make: () => T): T {
    let at = this.#root;
    let rest = key;
    while (rest !== "") {
      const next = at.children?.get(rest.charCodeAt(0));
      const shared = next === undefined ? 0 : sharedLength(next.label, rest);
      if (next === undefined) at = addChild(at, node(rest));
      else at = shared === next.label.length ? next : split(at, next, shared);
      rest = rest.slice(next === undefined ? rest.length : shared);
    }
    return (at.value ??= make());
  }

  /** Calls back for each key that the text begins with, the shortest first. */
  visitPrefixesOf(text: string, visit: (value: T) => void): void {
    let at: Node<T> | undefined = this.#root;
    let depth = 0;
    while (at !== undefined) {
      if (at.value !== undefined) visit(at.value);
      at = at.children?.get(text.charCodeAt(depth));
      if (at === undefined || !text.startsWith(at.label, depth)) return;
      depth += at.label.length;
    }
  }
}

function addChild<T>(parent: Node<T>, child: Node<T>): Node<T> {
  parent.children ??= new Map();
  parent.children.set(child.label.charCodeAt(0), child);
  return child;
}

/** Puts a node between a parent and its child, after so many code units of the child's label. */
function split<T>(parent: Node<T>, child: Node<T>, length: number): Node<T> {
  const between = addChild(parent, node<T>(child.label.slice(0, length)));
  child.label = child.label.slice(length);
  addChild(between, child);
  return between;
}

function sharedLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length += 1;
  return length;
}
