/*
 * splay.c - splay trees: search trees in which a node that was looked at goes to the root, so that what is used often is near it.
 * Bringing a node up takes steps of two levels where there are two:
 *
 *     parent and grandparent on the same side       turn at the grandparent first, then at the parent
 *     on different sides                            turn at the parent, then at what was the grandparent
 *
 * A root is its own parent.
 *
 * Source      WDK reference: ntddk.h, RtlSplay, RtlDelete, RtlDeleteNoSplay, RtlRealSuccessor and its like; Sleator and Tarjan,
 *             "Self-adjusting binary search trees", 1985.
 */
#include <stdbool.h>

#include <ntddk.h>

typedef PRTL_SPLAY_LINKS node_t;

static bool is_left(node_t node) { return node->Parent->LeftChild == node; }

/* What pointed to `old` points to `node` now; the node may be NULL unless old is a root. */
static void replace(node_t old, node_t node)
{
    node_t parent = old->Parent;

    if (parent == old) {
        node->Parent = node;
        return;
    }
    if (is_left(old))
        parent->LeftChild = node;
    else
        parent->RightChild = node;
    if (node != NULL)
        node->Parent = parent;
}

static void turn_up(node_t node)
{
    node_t parent = node->Parent, between;
    bool   left = is_left(node);

    between = left ? node->RightChild : node->LeftChild;
    replace(parent, node);
    if (left) {
        parent->LeftChild = between;
        node->RightChild = parent;
    } else {
        parent->RightChild = between;
        node->LeftChild = parent;
    }
    parent->Parent = node;
    if (between != NULL)
        between->Parent = parent;
}

PRTL_SPLAY_LINKS RtlSplay(PRTL_SPLAY_LINKS Links)
{
    while (!RtlIsRoot(Links)) {
        node_t parent = Links->Parent;
        if (!RtlIsRoot(parent))
            turn_up(is_left(Links) == is_left(parent) ? parent : Links);
        turn_up(Links);
    }
    return Links;
}

/* Takes the node out. Returns where the tree has changed: the parent of what is gone; NULL: the tree is empty. */
static node_t take_out(node_t node)
{
    node_t heir = RtlSubtreePredecessor(node), changed;

    if (node->LeftChild != NULL && node->RightChild != NULL) { /* the heir has no right child */
        changed = heir->Parent != node ? heir->Parent : heir;
        replace(heir, heir->LeftChild);
        heir->LeftChild = node->LeftChild;
        heir->RightChild = node->RightChild;
        if (heir->LeftChild != NULL)
            heir->LeftChild->Parent = heir;
        heir->RightChild->Parent = heir;
        replace(node, heir);
        return changed;
    }
    heir = node->LeftChild != NULL ? node->LeftChild : node->RightChild;
    changed = RtlIsRoot(node) ? heir : node->Parent;
    if (changed != NULL)
        replace(node, heir);
    return changed;
}

PRTL_SPLAY_LINKS RtlDelete(PRTL_SPLAY_LINKS Links)
{
    node_t changed = take_out(Links);
    return changed != NULL ? RtlSplay(changed) : NULL;
}

VOID RtlDeleteNoSplay(PRTL_SPLAY_LINKS Links, PRTL_SPLAY_LINKS *Root)
{
    node_t top = take_out(Links);
    while (top != NULL && !RtlIsRoot(top))
        top = top->Parent;
    *Root = top;
}

/* ---- neighbours ---- */

PRTL_SPLAY_LINKS RtlSubtreeSuccessor(PRTL_SPLAY_LINKS Links)
{
    node_t node = Links->RightChild;
    while (node != NULL && node->LeftChild != NULL)
        node = node->LeftChild;
    return node;
}

PRTL_SPLAY_LINKS RtlSubtreePredecessor(PRTL_SPLAY_LINKS Links)
{
    node_t node = Links->LeftChild;
    while (node != NULL && node->RightChild != NULL)
        node = node->RightChild;
    return node;
}

PRTL_SPLAY_LINKS RtlRealSuccessor(PRTL_SPLAY_LINKS Links)
{
    node_t node = RtlSubtreeSuccessor(Links);

    if (node != NULL)
        return node;
    for (node = Links; !RtlIsRoot(node); node = node->Parent)
        if (is_left(node))
            return node->Parent;
    return NULL;
}

PRTL_SPLAY_LINKS RtlRealPredecessor(PRTL_SPLAY_LINKS Links)
{
    node_t node = RtlSubtreePredecessor(Links);

    if (node != NULL)
        return node;
    for (node = Links; !RtlIsRoot(node); node = node->Parent)
        if (!is_left(node))
            return node->Parent;
    return NULL;
}
