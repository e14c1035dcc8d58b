// The members of a chat that has many.

import { expect, helper, isAccessible, onBoth, opens, serverWith, visit } from "./support.mjs";

/** Ann's room with bob and so many other members, named User 1, User 2 and so on. */
async function crowd(t, count) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const anns = helper(server, ann);
  const boss = helper(server, await server.user("boss", "--staff"));
  const { id } = await anns.createChat({ chat_type: "group", title: "Garden", member_ids: [bob.id] });
  const others = [];
  for (let number = 1; number <= count; number++) {
    others.push((await boss.createUser({ username: `user${number}`, first_name: `User ${number}.` })).id);
  }
  for (let from = 0; from < count; from += 50) await anns.addMembers(id, others.slice(from, from + 50));
  return { server, ann, bob, id, anns };
}

const member = (page, name) => page.locator(".member-item").filter({ hasText: name });

onBoth("among many members one is found by name, whoever they are", async (t, how) => {
  const { server, ann, id, anns } = await crowd(t, 120);
  const page = await visit(t, server.url, ann, "/", how);
  await opens(page, "Garden");
  await page.locator("#members-btn").click();
  await page.locator("#manage-members-tab").click();
  // The first hundred, then the others.
  await expect(page.locator(".member-item")).toHaveCount(100);
  await isAccessible(page, "many members");
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.locator(".member-item")).toHaveCount(122);
  await expect(page.getByRole("button", { name: "Show more" })).toHaveCount(0);
  // By words, in upper or lower case.
  const field = page.getByLabel("Find a member");
  await field.fill("USER 11");
  await expect(page.locator(".member-item")).toHaveCount(11);
  await field.fill("user117");
  await expect(page.locator(".member-item")).toHaveCount(1);
  await isAccessible(page, "a member who was found");
  await page.getByRole("button", { name: "Options for User 117." }).click();
  await page.getByRole("menuitem", { name: "Make admin" }).click();
  await expect(member(page, "User 117.").getByText("Admin")).toBeVisible();
  await page.getByRole("button", { name: "Remove User 117." }).click();
  await page.locator("#confirmation-confirm-btn").click();
  await expect(page.getByText("No one found.")).toBeVisible();
  await expect(page.locator("#manage-members-tab")).toHaveText("121 members");
  await expect(page.locator("#manage-members-tab")).toBeFocused();
  await isAccessible(page, "no member of the name");
  await field.fill("");
  await expect(page.locator(".member-item")).toHaveCount(100);
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.locator(".member-item")).toHaveCount(121);
  await expect(member(page, "@user117")).toHaveCount(0);
  // A member removed elsewhere disappears here too.
  const { results } = await anns.members(id, { search: "user5" });
  await anns.removeMember(id, results.find(({ username }) => username === "user5").id);
  await expect(page.locator("#manage-members-tab")).toHaveText("120 members");
  await expect(member(page, "User 5.")).toHaveCount(0);
});

onBoth("a few members are seen at a glance, and the focus stays with who adds and removes them", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  await helper(server, people[0]).createChat({ chat_type: "group", title: "Plans" });
  const page = await visit(t, server.url, people[0], "/", how);
  await opens(page, "Plans");
  await page.locator("#members-btn").click();
  await page.locator("#user-search-input").fill("bob");
  await page.getByRole("button", { name: "Add Bob" }).press("Enter");
  await expect(page.getByText("In this chat")).toBeFocused();
  await page.locator("#manage-members-tab").click();
  await expect(page.locator(".member-item")).toHaveCount(2);
  await expect(page.getByLabel("Find a member")).toHaveCount(0);
  await page.getByRole("button", { name: "Remove Bob" }).press("Enter");
  await page.locator("#confirmation-confirm-btn").press("Enter");
  await expect(page.locator(".member-item")).toHaveCount(1);
  await expect(page.locator("#manage-members-tab")).toBeFocused();
});

onBoth("who is in a chat already is not offered to be added, however many are in it", async (t, how) => {
  const { server, ann } = await crowd(t, 120);
  const page = await visit(t, server.url, ann, "/", how);
  await opens(page, "Garden");
  await page.locator("#members-btn").click();
  for (const words of ["User 117.", "user117"]) {
    await page.locator("#user-search-input").fill(words);
    await expect(page.locator(".gr-person", { hasText: "User 117." })).toContainText("In this chat");
    await expect(page.locator(".add-user-btn")).toHaveCount(0);
  }
});
