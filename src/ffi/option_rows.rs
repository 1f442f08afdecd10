//! The options of one row of a catalog as rows of their own, handed to the executor one by one. Of a hundred thousand
//! objects that spares as many tuple stores, and a second look at each in the catalogs.

use crate::error::Error;
use crate::ffi::function::Call;
use crate::ffi::{raise, text, tuple};
use crate::functions::options::Mask;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys::{self, Datum};
use std::ffi::{CStr, c_char, c_int};
use std::rc::Rc;

// Declared here because pg_sys wraps each in a boundary, which would cost more than what it guards.
unsafe extern "C-unwind" {
    fn cstring_to_text_with_len(text: *const c_char, length: c_int) -> *mut pg_sys::text;
    fn heap_form_tuple(row_type: pg_sys::TupleDesc, values: *mut Datum, nulls: *mut bool) -> pg_sys::HeapTuple;
}

/// Bytes of a text on their way to PostgreSQL.
pub enum Bytes<'a> {
    /// As the catalog holds them.
    Own(&'a [u8]),
    Text(String),
}

/// One option as it is shown.
pub struct OptionRow<'a> {
    pub option: Bytes<'a>,
    pub value: Bytes<'a>,
    pub is_secret: bool,
}

/// What lives as long as the call's place in the query.
struct Rows {
    row_type: pg_sys::TupleDesc,
    /// Whether PostgreSQL says when nobody asks for the rest of a set.
    is_watched: bool,
    mask: Option<Rc<Mask>>,
    /// The elements of the running set, which live as long as its arguments do, or as long as `copy`.
    elements: Vec<Datum>,
    next: usize,
    /// The array, if it had to be fetched from elsewhere; else null.
    copy: *mut pg_sys::varlena,
}

/// How the options of a call are shown; None if they are nobody's or not the caller's to see.
pub type MaskOf = fn(&Call) -> Result<Option<Rc<Mask>>, Error>;

/// Calls a function whose first argument is an OPTIONS list as the catalog holds it, and which returns a row for each.
///
/// # Safety
/// `info` is the call that PostgreSQL makes of such a function, declared STRICT, and the calling frame owns nothing.
pub unsafe fn call(info: pg_sys::FunctionCallInfo, mask_of: MaskOf) -> Datum {
    // SAFETY: the caller's promise.
    unsafe {
        let result = (*info).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        if result.is_null() || (*result).type_ != pg_sys::NodeTag::T_ReturnSetInfo {
            (*info).isnull = true;
            return Datum::null();
        }
        let row: Option<RawRow> = raise::guarded_or_raise(|| Rows::of(info, result).next_row(info, mask_of));
        (*info).isnull = row.is_none();
        (*result).isDone = match row {
            Some(_) => pg_sys::ExprDoneCond::ExprMultipleResult,
            None => pg_sys::ExprDoneCond::ExprEndResult,
        };
        row.map_or(Datum::null(), |row| row.form())
    }
}

/// A row that a plain frame can make a tuple of.
#[derive(Clone, Copy)]
struct RawRow {
    row_type: pg_sys::TupleDesc,
    option: RawText,
    value: RawText,
    is_secret: bool,
}

#[derive(Clone, Copy)]
struct RawText {
    start: *const c_char,
    length: c_int,
}

impl RawText {
    fn of(bytes: &Bytes) -> Self {
        match bytes {
            Bytes::Own(bytes) => Self { start: bytes.as_ptr().cast(), length: bytes.len() as c_int },
            Bytes::Text(text) => {
                let start = text::to_server(text);
                // SAFETY: to_server gives a C string in the current memory context.
                Self { start, length: unsafe { CStr::from_ptr(start) }.count_bytes() as c_int }
            }
        }
    }
}

impl RawRow {
    /// # Safety
    /// The row type has the columns of an [`OptionRow`] and is known to PostgreSQL, the texts are there, and the calling
    /// frames own nothing.
    unsafe fn form(self) -> Datum {
        // SAFETY: the caller's promise; no value is stored out of line, so that the tuple is a composite datum as it is.
        unsafe {
            let text = |text: RawText| Datum::from(cstring_to_text_with_len(text.start, text.length));
            let mut values = [text(self.option), text(self.value), Datum::from(self.is_secret)];
            let mut nulls = [false; 3];
            Datum::from((*heap_form_tuple(self.row_type, values.as_mut_ptr(), nulls.as_mut_ptr())).t_data)
        }
    }
}

impl Rows {
    /// # Safety
    /// As for [`call`].
    unsafe fn of<'a>(info: pg_sys::FunctionCallInfo, result: *mut pg_sys::ReturnSetInfo) -> &'a mut Self {
        // SAFETY: fn_extra is null or what was put there; it is dropped when fn_mcxt goes, after the last call.
        unsafe {
            let function = (*info).flinfo;
            if (*function).fn_extra.is_null() {
                let mut context = PgMemoryContexts::For((*function).fn_mcxt);
                let row_type = context.switch_to(|_| row_type(info));
                let (mask, elements, copy) = (None, Vec::new(), std::ptr::null_mut());
                let rows = Self { row_type, is_watched: false, mask, elements, next: 0, copy };
                (*function).fn_extra = context.leak_and_drop_on_delete(rows).cast();
            }
            let rows = (*function).fn_extra.cast::<Self>();
            if !(*rows).is_watched {
                pg_sys::RegisterExprContextCallback((*result).econtext, Some(forget_set), Datum::from(rows));
                (*rows).is_watched = true;
            }
            &mut *rows
        }
    }

    /// # Safety
    /// As for [`call`].
    unsafe fn next_row(&mut self, info: pg_sys::FunctionCallInfo, mask_of: MaskOf) -> Result<Option<RawRow>, Error> {
        if self.mask.is_none() {
            let Some(mask) = mask_of(&Call::of(info))? else { return Ok(None) };
            // SAFETY: the caller's promise: the first argument is a text[], and not null.
            unsafe { self.begin(info) };
            self.mask = Some(mask);
        }
        let mask = self.mask.as_ref();
        let Some((mask, element)) = mask.zip(self.elements.get(self.next)) else {
            self.end();
            return Ok(None);
        };
        self.next += 1;
        // SAFETY: the element is a text, which lives as long as the set.
        let OptionRow { option, value, is_secret } = mask.show(unsafe { tuple::bytes_of(*element) });
        let (option, value) = (RawText::of(&option), RawText::of(&value));
        Ok(Some(RawRow { row_type: self.row_type, option, value, is_secret }))
    }

    /// # Safety
    /// As for [`call`].
    unsafe fn begin(&mut self, info: pg_sys::FunctionCallInfo) {
        // SAFETY: the caller's promise; a copy is made in a context that lives as long as self.
        unsafe {
            self.end();
            let array = (*info).args.as_slice(1).first().map_or(Datum::null(), |argument| argument.value);
            let mut context = PgMemoryContexts::For((*(*info).flinfo).fn_mcxt);
            let plain = context.switch_to(|_| pg_sys::pg_detoast_datum(array.cast_mut_ptr()));
            if plain != array.cast_mut_ptr() {
                self.copy = plain;
            }
            tuple::texts_into(Datum::from(plain), &mut self.elements);
        }
    }

    /// Nobody asks for more of the set.
    fn end(&mut self) {
        self.mask = None;
        self.elements.clear();
        self.next = 0;
        let copy = std::mem::replace(&mut self.copy, std::ptr::null_mut());
        if !copy.is_null() {
            // SAFETY: `begin` allocated it, and this is the only pointer to it.
            unsafe { pg_sys::pfree(copy.cast()) }
        }
    }
}

/// The executor rescans or ends the node before the set has ended.
unsafe extern "C-unwind" fn forget_set(rows: Datum) {
    // SAFETY: `of` registered it with what lives as long as the query; this frame owns nothing.
    unsafe {
        let rows = rows.cast_mut_ptr::<Rows>();
        (*rows).is_watched = false;
        raise::guarded(|| (*rows).end());
    }
}

/// The row type that the SQL declaration says, known to whoever looks into a row.
///
/// # Safety
/// As for [`call`].
unsafe fn row_type(info: pg_sys::FunctionCallInfo) -> pg_sys::TupleDesc {
    // SAFETY: the function is declared with three OUT arguments.
    unsafe {
        let mut row_type = std::ptr::null_mut();
        pg_sys::get_call_result_type(info, std::ptr::null_mut(), &raw mut row_type);
        pg_sys::BlessTupleDesc(row_type)
    }
}
