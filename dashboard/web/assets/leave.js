// Whoever is logged out is led to the login from within the frame that says so.
function leave() {
  const link = parent.document.createElement("a");
  const there = parent.location.pathname + parent.location.search;
  link.href = there === "/" ? "/login" : "/login?next=" + encodeURIComponent(there);
  parent.document.body.append(link);
  link.click();
}
if (parent === window) location.replace("/login");
else leave();
