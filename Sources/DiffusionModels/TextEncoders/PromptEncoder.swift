/// Makes of prompts what a denoising model takes for them.
package protocol PromptEncoder: Sendable {
    /// The kind of condition that it gives.
    var conditionKind: Condition.Kind { get }

    /// - Parameter prompts: any text; the empty one stands for no prompt.
    /// - Returns: a condition of `conditionKind` with a row for each prompt, in their order.
    func encode(_ prompts: [String]) throws(DiffusionError) -> Condition
}
