//! Collects every name of another module or crate that stands in a module's items.
//!
//! Three places hold names: `use` items, paths in code and types, and the unparsed tokens inside
//! macro calls and attributes. Doc comments are text and count for nothing.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::tidy::source::is_test_only;

/// How a name came to stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In a `use` item.
    Use,
    /// In a `use` item that takes everything.
    Glob,
    /// In code, in a type, in a macro call or in an attribute.
    Path,
}

/// One name of something elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its segments, `crate`, `self` and `super` included.
    pub segments: Vec<String>,
    /// The line it stands in.
    pub line: usize,
    /// How it stands there.
    pub form: Form,
    /// Whether the item it stands in is compiled for tests only.
    pub is_test: bool,
}

/// What the items of one module name and do.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// The names, in the order of the file.
    pub names: Vec<Reference>,
    /// The lines with `async` or `await`.
    pub async_lines: Vec<usize>,
    in_test: bool,
}

impl References {
    /// Collects from the items of a module; what it collects of child modules that stand inside
    /// functions counts as the module's own.
    #[must_use]
    pub fn of(items: &[syn::Item]) -> Self {
        let mut references = Self::default();
        for item in items {
            references.in_test = is_test_only(attributes(item));
            references.visit_item(item);
        }
        references
    }

    fn add(&mut self, segments: Vec<String>, line: usize, form: Form) {
        self.names.push(Reference { segments, line, form, is_test: self.in_test });
    }

    fn add_tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| -> Vec<String> {
            before.iter().cloned().chain([name.to_string()]).collect()
        };
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.add(before.to_vec(), name.ident.span().start().line, Form::Use);
            }
            syn::UseTree::Name(name) => {
                self.add(with(&name.ident), name.ident.span().start().line, Form::Use);
            }
            syn::UseTree::Rename(name) => {
                self.add(with(&name.ident), name.ident.span().start().line, Form::Use);
            }
            syn::UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.add(before.to_vec(), line, Form::Glob);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.add_tree(item, before));
            }
        }
    }

    /// Finds `a::b::c` in tokens that nobody parsed.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    if name == "async" || name == "await" {
                        self.async_lines.push(ident.span().start().line);
                    }
                    if colons != 2 {
                        self.end_path(&mut path, line);
                        line = ident.span().start().line;
                    }
                    path.push(name);
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end_path(&mut path, line);
                    colons = 0;
                    self.add_tokens(group.stream());
                }
                _ => {
                    self.end_path(&mut path, line);
                    colons = 0;
                }
            }
        }
        self.end_path(&mut path, line);
    }

    fn end_path(&mut self, path: &mut Vec<String>, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.add(path, line, Form::Path);
        }
    }
}

impl<'ast> Visit<'ast> for References {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, &[]);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.add(vec![item.ident.to_string()], item.ident.span().start().line, Form::Use);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        if segments.len() > 1 {
            self.add(segments, line, Form::Path);
        }
        visit::visit_path(self, path);
    }

    /// `pub(super)` says who may see, it uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.add_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let path = attribute.path();
        if path.segments.len() > 1 {
            self.visit_path(path);
        }
        match &attribute.meta {
            syn::Meta::List(list) => self.add_tokens(list.tokens.clone()),
            syn::Meta::NameValue(pair) => self.visit_expr(&pair.value),
            syn::Meta::Path(_) => {}
        }
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.async_lines.extend(signature.asyncness.map(|word| word.span.start().line));
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.async_lines.push(block.async_token.span.start().line);
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_await(&mut self, waiting: &'ast syn::ExprAwait) {
        self.async_lines.push(waiting.await_token.span.start().line);
        visit::visit_expr_await(self, waiting);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.async_lines.extend(closure.asyncness.map(|word| word.span.start().line));
        visit::visit_expr_closure(self, closure);
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
