// Elements of the page. Whatever comes from the API goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. Attributes that are null or false are left out; `on…` are listeners. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Put other children in place of those there are. */
export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat().filter(isThere));
}

/** Likewise, where they tell something else: what is there is not read out again, nor lost to who marks it. */
export function retell(parent, ...children) {
  const told = el("div", {}, ...children);
  if (told.textContent !== parent.textContent) parent.replaceChildren(...told.childNodes);
}

/** Set the text where it differs, so that nothing is drawn again for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Make `nodes` the children of `parent`, in this order. Only what stands elsewhere is moved: it loses the focus. */
export function arrange(parent, nodes) {
  const kept = new Set(nodes);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  nodes.forEach((node, i) => {
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
  });
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (isThere(value)) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter(isThere));
  return node;
}

function isThere(child) {
  return child !== null && child !== undefined && child !== false;
}
