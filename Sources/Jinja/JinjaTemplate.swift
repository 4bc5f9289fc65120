/// A template in the part of Jinja that the chat templates of the Hugging Face hub are written in, set up as
/// transformers does: `trim_blocks`, `lstrip_blocks`, loop controls, the tag `generation`, and its own `tojson`.
///
/// A template is read once and rendered as often as needed. It cannot change its values, reach outside, or run for
/// ever. What it asks for and is not known here is refused by name, when it is read wherever that is possible.
///
/// Source: jinja2 3.1.6, and `transformers.utils.chat_template_utils` of transformers 5.23.
package struct JinjaTemplate: Sendable {
    private let nodes: [Node]
    /// The text that the template holds itself: what it writes, and its strings.
    package let literals: [String]
    /// The names that it reads of what it is rendered with, and those of functions that every template has.
    package var variables: Set<String> { FreeNames.of(nodes) }

    /// - Throws: `JinjaError` with the line and the construct.
    package init(_ source: String) throws(JinjaError) {
        guard source.utf8.count <= Self.sizeLimit else {
            throw JinjaError(.limit, "the template has more than \(Self.sizeLimit) bytes")
        }
        do { (nodes, literals) = try Parser.parse(source) } catch {
            throw error as? JinjaError ?? JinjaError(.syntax, "the template cannot be read")
        }
    }

    private static let sizeLimit = 4 << 20

    /// What the template writes, of which each part knows who wrote it.
    ///
    /// - Parameters:
    ///   - variables: by the names under which the template sees them.
    ///   - clock: what `strftime_now` reads.
    /// - Throws: `JinjaError` with the line; `.raised` where the template itself refuses its values.
    package func render(
        _ variables: [String: JinjaValue], clock: @escaping @Sendable () -> LocalTime = LocalTime.now
    ) throws(JinjaError) -> TrustedText {
        do { return try Interpreter(clock: clock).render(nodes, variables) } catch {
            throw error as? JinjaError ?? JinjaError(.evaluation, "the template cannot be rendered")
        }
    }
}
