//! How many compiled products oneDNN keeps for the process.
internal import COneDNN

/// oneDNN compiles machine code for every shape that it meets and keeps 1,024 of them unless told otherwise. Texts have many lengths:
/// beyond that number nearly every product is compiled anew, which took half of the time of training on interleaved sequences.
package enum PrimitiveCache {
    /// Keeps up to `count` compiled products, least recently used ones leaving first; a few kilobytes each.
    package static func keep(_ count: Int) {
        // Without a cache oneDNN refuses; then everything is compiled each time, and right all the same.
        _ = dnnl_set_primitive_cache_capacity(Int32(clamping: count))
    }
}
