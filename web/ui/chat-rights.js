/** What users may do in a chat. */

/** Whether a user may do what admins may. Staff may in public rooms of an object. */
export const mayManage = (chat, me) =>
  chat.my_role === "admin" || (me.is_staff && chat.chat_type === "room" && chat.is_public && chat.object !== null);
