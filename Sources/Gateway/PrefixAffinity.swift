import Messages

/// Which requests had better go to one instance, because its cache holds what their prompts begin with.
enum PrefixAffinity {
    /// Positions that are shared as a whole: a page of the text-models' caches.
    private static let page = 32
    /// Pages that tell prompts apart, at most. More would part a conversation from its own next turn; fewer would send all
    /// that share an instruction to one instance until its load turns them away.
    private static let pages = 4

    /// What prompts of one model and adapter that begin alike have in common: their first page, two pages or four, as many
    /// as the prompt fills; nil where it fills none.
    static func key(of request: Wire.GenerateRequest) -> [UInt8]? {
        let full = min(request.prompt.count / page, pages)
        guard full > 0 else { return nil }
        let count = (full == 3 ? 2 : full) * page
        var key = Array((request.model + "\u{0}" + request.adapter + "\u{0}").utf8)
        for id in request.prompt.prefix(count) {
            for shift in [0, 8, 16, 24] as [UInt32] {
                key.append(UInt8(truncatingIfNeeded: UInt32(bitPattern: id) >> shift))
            }
        }
        return key
    }
}
