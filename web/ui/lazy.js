/** Components that are no part of a page's first load: dialogs and lists that only some visits need. */

import { html, useEffect, useState } from "./html.js";

/** The others of them are loaded so long after the first script, in milliseconds: they then work without a connection too. */
const PREFETCH_AFTER = 5_000;
/** The pause before a failed load is repeated, in milliseconds. */
const RETRY_AFTER = 2_000;

/** @type {Set<() => Promise<any>>} */
const loaders = new Set();

/**
 * Returns a component that renders nothing until its module is loaded.
 * @param {() => Promise<any>} load resolves with the component
 */
export function lazy(load) {
  let Loaded = /** @type {any} */ (null);
  let loading = /** @type {Promise<any> | null} */ (null);
  const loadOnce = () => {
    loading ??= load().then(
      (component) => (Loaded = component),
      () => (loading = null),
    );
    return loading;
  };
  loaders.add(loadOnce);
  return function Lazy(props) {
    const [, draw] = useState(0);
    useEffect(() => {
      if (Loaded) return undefined;
      let isHere = true;
      let timer;
      const attempt = async () => {
        await loadOnce();
        if (!isHere) return;
        if (Loaded) draw(1);
        else timer = setTimeout(attempt, RETRY_AFTER);
      };
      attempt();
      return () => {
        isHere = false;
        clearTimeout(timer);
      };
    }, []);
    return Loaded && html`<${Loaded} ...${props} />`;
  };
}

setTimeout(() => loaders.forEach((load) => load()), PREFETCH_AFTER);
