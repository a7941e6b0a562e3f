// Long names in tables may break after an underscore. <wbr> is not copied, as a character would be.
document.addEventListener("DOMContentLoaded", () => {
  for (const code of document.querySelectorAll("table.docutils td code span.pre")) {
    const parts = code.textContent.split(/(?<=_)/);
    code.replaceChildren(...parts.flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part])));
  }
});
