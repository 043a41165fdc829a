declare const brand: unique symbol;

/** A `Base` that has been checked: only a parser can make one. */
export type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };
