/** Rendering: Preact, with templates in place of JSX. */

import { Fragment, createContext, h, options, render } from "../vendor/preact.js";
import {
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export {
  Fragment,
  createContext,
  render,
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
};

/** Applies changes and renders them before it returns. */
export function renderNow(change) {
  const before = options.debounceRendering;
  let draw;
  options.debounceRendering = (callback) => (draw = callback);
  try {
    change();
    draw?.();
  } finally {
    options.debounceRendering = before;
  }
}

/** Returns a component that rerenders only when one of its properties changes. */
export function memo(Component) {
  function Memo(props) {
    this.shouldComponentUpdate = (next) => !isSame(this.props, next);
    return h(Component, props);
  }
  return Memo;
}

/** Whether two values are identical, or lists or objects of identical values. */
export function isSame(a, b) {
  if (Object.is(a, b)) return true;
  if (!isCollection(a) || !isCollection(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.is(a[key], b[key]));
}

const isCollection = (value) =>
  Array.isArray(value) || (value !== null && typeof value === "object" && value.constructor === Object);

/** Joins the class names that apply. */
export const classes = (...names) => names.filter(Boolean).join(" ");

/** Reads a value from an object with `on(listener)`. Rerenders when the value changes. */
export function useSubscription(object, read) {
  const [, draw] = useState(0);
  const latest = useRef(/** @type {any} */ (null));
  const value = read(object);
  latest.current = { read, value };
  useLayoutEffect(() => {
    const look = () => {
      const { read, value } = latest.current;
      if (!isSame(read(object), value)) draw((count) => count + 1);
    };
    look();
    return object.on(look);
  }, [object]);
  return value;
}

/** Returns the focused element of the document, or of the shadow root that a node is in. */
export const focusedBeside = (node) => node.getRootNode().activeElement;

/** Whether a media query applies. */
export function useMedia(query) {
  const media = useMemo(() => matchMedia(query), [query]);
  const [applies, setApplies] = useState(media.matches);
  useEffect(() => {
    const look = () => setApplies(media.matches);
    look();
    media.addEventListener("change", look);
    return () => media.removeEventListener("change", look);
  }, [media]);
  return applies;
}

/** Returns a function that never changes, and calls the latest callback. */
export function useLatest(callback) {
  const latest = useRef(callback);
  latest.current = callback;
  return useCallback((...args) => latest.current(...args), []);
}
