//! What objects of the API hold, found on the stack without asking mlua.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]

use std::any::{Any, TypeId};
use std::ffi::{CStr, c_int, c_void};
use std::rc::Rc;

use mlua::{IntoLua as _, Lua, ffi};

use super::Stack;
use super::stack::made;

/// Marks what [`Stack::object`] finds.
const OWNED: c_int = 96;
/// Where it is in objects that hold something of mlua's first, and in those that hold nothing else.
pub(super) const BESIDE: c_int = 2;
pub(super) const ITSELF: c_int = 1;

/// What [`own`] gives an object: its userdata.
pub(super) struct Owned {
    kind: TypeId,
    /// Where it is, which stays there as long as it is held.
    value: *const (),
    held: Rc<dyn Any>,
}

/// An object of the API that is to be made.
pub struct Object {
    class: &'static CStr,
    owned: Owned,
}

/// What [`push_owned`] put at that place, if it is a `T`.
///
/// # Safety
/// The state is alive, and something holds the userdata as long as the result is looked at.
#[inline]
pub(super) unsafe fn owned<'b, T: 'static>(
    state: *mut ffi::lua_State,
    index: c_int,
) -> Option<&'b T> {
    // SAFETY: only `push_owned` makes userdata with that tag.
    unsafe {
        let owned = ffi::lua_touserdatatagged(state, index, OWNED).cast::<Owned>();
        let owned = owned.as_ref().filter(|owned| owned.kind == TypeId::of::<T>())?;
        owned.value.cast::<T>().as_ref()
    }
}

/// Gives an object of the API what [`Stack::object`] finds there. It is dropped when no script holds it.
///
/// # Errors
/// If the state's memory is spent.
pub fn own<T: 'static>(lua: &Lua, object: &mlua::Table, value: Rc<T>) -> mlua::Result<()> {
    let owned = Owned::of(value);
    // SAFETY: the object is the one argument.
    unsafe {
        lua.exec_raw(object, |state| {
            push_owned(state, owned);
            ffi::lua_rawseti_(state, 1, BESIDE);
            ffi::lua_settop(state, 0);
        })
    }
}

impl Owned {
    pub(super) fn of<T: 'static>(value: Rc<T>) -> Self {
        Self { kind: TypeId::of::<T>(), value: Rc::as_ptr(&value).cast(), held: value }
    }
}

/// # Safety
/// The state is alive, with room for one value more.
pub(super) unsafe fn push_owned(state: *mut ffi::lua_State, owned: Owned) {
    // SAFETY: as above. Luau aligns userdata to 8 bytes; nothing can raise between making it and filling
    // it, and `drop_owned` is what ends it.
    unsafe {
        let place = ffi::lua_newuserdatatagged(state, size_of::<Owned>(), OWNED);
        place.cast::<Owned>().write(owned);
    }
}

/// An object of that class, which holds this, and which short ways know by [`Stack::itself`].
///
/// # Errors
/// If the state's memory is spent.
pub fn object<T: 'static>(
    lua: &Lua,
    class: &'static CStr,
    value: Rc<T>,
) -> mlua::Result<mlua::Table> {
    let object = Object::of(class, value);
    made(lua, |stack| object.put(stack))
}

/// What an object holds that [`object`] made, if that is a `T`.
pub fn itself<T: 'static>(object: &mlua::Table) -> Option<Rc<T>> {
    let lua = object.weak_lua().try_upgrade()?;
    // SAFETY: the state is alive, and there is room for two values where the host is; nothing is raised.
    let held = lua.exec_raw_lua(|raw| unsafe {
        let top = ffi::lua_gettop(raw.state());
        object.push_into_stack(raw).ok()?;
        ffi::lua_rawgeti_(raw.state(), -1, ITSELF);
        let owned = ffi::lua_touserdatatagged(raw.state(), -1, OWNED).cast::<Owned>();
        let held = owned.as_ref().map(|owned| owned.held.clone());
        ffi::lua_settop(raw.state(), top);
        held
    });
    held?.downcast().ok()
}

impl Object {
    /// One that holds this; the class is that of the methods' names.
    pub fn of<T: 'static>(class: &'static CStr, value: Rc<T>) -> Self {
        Self { class, owned: Owned::of(value) }
    }

    /// Puts it onto the stack.
    pub(super) fn put(self, stack: &mut Stack<'_>) {
        let Self { class, owned } = self;
        stack.push_table(1, 0);
        // SAFETY: the state is alive, its stack was checked, and the class has a metatable from the
        // beginning.
        unsafe {
            push_owned(stack.state, owned);
            stack.set_item(ITSELF);
            ffi::lua_getfield(stack.state, ffi::LUA_REGISTRYINDEX, class.as_ptr());
            ffi::lua_setmetatable(stack.state, -2);
        }
    }
}

/// Tells a fresh state how what is owned ends.
pub(super) fn prepare(lua: &Lua) -> mlua::Result<()> {
    // SAFETY: nothing else in the process makes userdata of that tag.
    unsafe { lua.exec_raw((), |state| ffi::lua_setuserdatadtor(state, OWNED, Some(drop_owned))) }
}

unsafe extern "C" fn drop_owned(_: *mut ffi::lua_State, place: *mut c_void) {
    // SAFETY: `own` filled it, and Luau ends it once.
    unsafe { place.cast::<Owned>().drop_in_place() };
}
