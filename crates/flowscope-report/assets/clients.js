// Shows the steps of one client, chosen from a list.
(function () {
  "use strict";
  const clients = Array.from(document.querySelectorAll("details.client"));
  if (clients.length === 0) return;
  const { element } = Records;
  const list = element("select", {}, ...clients.map((client, at) =>
    element("option", { value: at }, client.querySelector("summary").textContent)));
  const tools = document.getElementById("client-tools");
  tools.append(element("label", {}, "Client ", list));
  tools.hidden = false;
  const show = () => clients.forEach((client, at) => {
    client.hidden = at !== Number(list.value);
    client.open = !client.hidden;
  });
  list.addEventListener("change", show);
  show();
})();
